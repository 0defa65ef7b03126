/**
 * Reads what stands within a line of Markdown: emphasis, code, links. Apart from the blocks because it is a scanner,
 * and they are lines.
 */

/** How deep emphasis may nest. */
const DEEPEST = 8;

/** Marks that come in pairs, the longer first. */
const PAIRS = [["**", "strong"], ["__", "strong"], ["~~", "del"], ["*", "em"], ["_", "em"]];

const PUNCTUATION = /[!-/:-@[-`{-~]/;
const WORD = /[\p{L}\p{N}]/u;

/** Where links may lead. Anything else, `javascript:` above all, stays text. */
const LINK = /^(https?:\/\/|mailto:)[^\s]+$/i;
const BARE = /https?:\/\/[^\s<>"']+/y;

/** Reads a text into nodes. */
export function inline(text, depth = 0) {
  return new Scanner(text, depth).read();
}

class Scanner {
  constructor(text, depth) {
    this.text = text;
    this.depth = depth;
    this.at = 0;
    this.nodes = [];
    this.plain = "";
    /** Marks that have no end from here on: looking for them again would take quadratic time. */
    this.endless = new Set();
  }

  read() {
    while (this.at < this.text.length) {
      if (!this.special()) {
        this.plain += this.text[this.at];
        this.at += 1;
      }
    }
    this.flush();
    return this.nodes;
  }

  special() {
    const mark = this.text[this.at];
    if (mark === "\\") return this.escape();
    if (mark === "\n") return this.push({ tag: "br", children: [] }, this.at + 1);
    if (mark === "`") return this.code();
    if (mark === "[") return this.link(this.at);
    if (mark === "!" && this.text[this.at + 1] === "[") return this.link(this.at + 1);
    if (mark === "h") return this.bare();
    if (mark === "*" || mark === "_" || mark === "~") return this.depth < DEEPEST && this.pair();
    return false;
  }

  push(node, next) {
    this.flush();
    this.nodes.push(node);
    this.at = next;
    return true;
  }

  flush() {
    if (this.plain !== "") this.nodes.push(this.plain);
    this.plain = "";
  }

  escape() {
    const next = this.text[this.at + 1];
    if (next === undefined || !PUNCTUATION.test(next)) return false;
    this.plain += next;
    this.at += 2;
    return true;
  }

  /** Finds where a mark comes next, and remembers when it never does. */
  find(mark, from) {
    if (this.endless.has(mark)) return -1;
    const found = this.text.indexOf(mark, from);
    if (found < 0) this.endless.add(mark);
    return found;
  }

  code() {
    let end = this.at;
    while (this.text[end] === "`") end += 1;
    const fence = this.text.slice(this.at, end);
    let close = this.find(fence, end);
    while (close >= 0 && this.text[close + fence.length] === "`") {
      while (this.text[close] === "`") close += 1;
      close = this.find(fence, close);
    }
    if (close < 0) {
      this.plain += fence;
      this.at = end;
      return true;
    }
    const inside = this.text.slice(end, close);
    return this.push({ tag: "code", children: [inside.replace(/^ (.*[^ ].*) $/s, "$1")] }, close + fence.length);
  }

  link(open) {
    const close = this.find("]", open);
    if (close < 0 || this.text[close + 1] !== "(") return false;
    const end = this.find(")", close);
    if (end < 0) return false;
    const [href] = this.text.slice(close + 2, end).trim().split(/\s/);
    if (!LINK.test(href)) return false;
    const label = this.text.slice(open + 1, close) || href;
    // An image becomes a link to it: nothing is loaded from elsewhere.
    const children = this.depth < DEEPEST ? inline(label, DEEPEST) : [label];
    return this.push({ tag: "a", href, children }, end + 1);
  }

  bare() {
    BARE.lastIndex = this.at;
    const found = BARE.exec(this.text);
    if (!found || (this.at > 0 && WORD.test(this.text[this.at - 1]))) return false;
    const href = found[0].replace(/[.,;:!?)\]}*_~]+$/, "");
    return LINK.test(href) && this.push({ tag: "a", href, children: [href] }, this.at + href.length);
  }

  pair() {
    const [mark, tag] = PAIRS.find(([mark]) => this.text.startsWith(mark, this.at)) ?? [];
    if (mark === undefined) return false;
    const begin = this.at + mark.length;
    const isWord = (at) => at >= 0 && at < this.text.length && WORD.test(this.text[at]);
    if (begin >= this.text.length || /\s/.test(this.text[begin]) || (mark[0] === "_" && isWord(this.at - 1))) return false;
    const close = this.find(mark, begin + 1);
    if (close < 0 || /\s/.test(this.text[close - 1]) || (mark[0] === "_" && isWord(close + mark.length))) {
      this.plain += mark;
      this.at = begin;
      return true;
    }
    return this.push({ tag, children: inline(this.text.slice(begin, close), this.depth + 1) }, close + mark.length);
  }
}
