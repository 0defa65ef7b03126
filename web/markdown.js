/**
 * Reads the Markdown that models write into a tree of plain objects. It knows no DOM, so it can be tested alone.
 *
 * A node is a string or `{tag, children, ...}`. What it does not know stays text. It takes time in proportion to the
 * text, whatever that is: a model may say anything.
 */

import { inline } from "./inline.js";

/** How deep lists and quotations may nest; what is deeper stays text. */
const DEEPEST = 6;

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?: +|$)(.*)$/;
const BOX = /^\[([ xX])\] +/;
const DIVIDER = /^ *\|? *:?-+:? *(\| *:?-+:? *)*\|? *$/;

/** Reads a text into blocks. Each has its `source`, so that a view can leave alone what did not change. */
export function blocks(text) {
  const lines = text.replace(/\r\n?/g, "\n").replace(/\t/g, "    ").split("\n");
  return read(lines, 0);
}

function read(lines, depth) {
  const found = [];
  let at = 0;
  while (at < lines.length) {
    if (lines[at].trim() === "") {
      at += 1;
      continue;
    }
    const [block, next] = one(lines, at, depth);
    found.push({ ...block, source: lines.slice(at, next).join("\n") });
    at = next;
  }
  return found;
}

/** Reads the block that begins at a line; returns it, and where the next begins. */
function one(lines, at, depth) {
  const line = lines[at];
  const fence = FENCE.exec(line);
  if (fence) return code(lines, at, fence);
  const heading = HEADING.exec(line);
  if (heading) return [{ tag: `h${heading[1].length}`, children: inline(heading[2]) }, at + 1];
  if (RULE.test(line)) return [{ tag: "hr", children: [] }, at + 1];
  if (depth < DEEPEST && QUOTE.test(line)) return quote(lines, at, depth);
  if (depth < DEEPEST && ITEM.test(line)) return list(lines, at, depth);
  if (isTable(lines, at)) return table(lines, at);
  return paragraph(lines, at, depth);
}

function code(lines, at, [, fence, language]) {
  let end = at + 1;
  const isEnd = (line) => line.trim().startsWith(fence) && line.trim().replaceAll(fence[0], "") === "";
  while (end < lines.length && !isEnd(lines[end])) end += 1;
  return [{ tag: "pre", language, children: [lines.slice(at + 1, end).join("\n")] }, Math.min(end + 1, lines.length)];
}

function quote(lines, at, depth) {
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end])) end += 1;
  const inside = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return [{ tag: "blockquote", children: read(inside, depth + 1) }, end];
}

function list(lines, at, depth) {
  const [, indent, marker] = ITEM.exec(lines[at]);
  const isOrdered = /\d/.test(marker);
  const belongs = (line) => {
    const item = ITEM.exec(line);
    return item && item[1].length <= indent.length + 1 && /\d/.test(item[2]) === isOrdered && !RULE.test(line) ? item : null;
  };
  const items = [];
  let end = at;
  for (let item = belongs(lines[end]); item; item = end < lines.length ? belongs(lines[end]) : null) {
    const inside = [item[3]];
    const width = item[1].length + 2;
    for (end += 1; end < lines.length && isInside(lines, end, width); end += 1) inside.push(lines[end].slice(Math.min(lines[end].search(/\S|$/), width)));
    items.push(entry(inside, depth));
    while (end < lines.length && lines[end].trim() === "" && end + 1 < lines.length && belongs(lines[end + 1])) end += 1;
  }
  const start = isOrdered ? Number.parseInt(marker, 10) : null;
  return [{ tag: isOrdered ? "ol" : "ul", start, children: items }, end];
}

/** Tells whether a line goes on with an item: it is indented, or it is text right below text. */
function isInside(lines, at, width) {
  const line = lines[at];
  if (line.trim() === "") return at + 1 < lines.length && lines[at + 1].search(/\S|$/) >= width && lines[at + 1].trim() !== "";
  if (line.search(/\S/) >= width) return true;
  return lines[at - 1].trim() !== "" && !interrupts(line);
}

function entry(lines, depth) {
  const box = BOX.exec(lines[0]);
  const first = box ? [lines[0].slice(box[0].length), ...lines.slice(1)] : lines;
  const inside = read(first, depth + 1);
  const isTight = !lines.some((line, at) => at > 0 && line.trim() === "");
  const children = inside.flatMap((block) => (isTight && block.tag === "p" ? block.children : [block]));
  return { tag: "li", box: box ? box[1] !== " " : null, children };
}

function cells(line) {
  const inside = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  return inside.split(/(?<!\\)\|/).map((cell) => inline(cell.trim().replaceAll("\\|", "|")));
}

function isTable(lines, at) {
  return lines[at].includes("|") && at + 1 < lines.length && lines[at + 1].includes("-") && DIVIDER.test(lines[at + 1])
    && cells(lines[at]).length === cells(lines[at + 1]).length;
}

function table(lines, at) {
  const sides = lines[at + 1].split("|").map((cell) => cell.trim()).filter((cell) => cell !== "").map(side);
  const row = (line, tag, width) => {
    const found = cells(line).slice(0, width);
    while (found.length < width) found.push([]);
    return { tag: "tr", children: found.map((children, column) => ({ tag, side: sides[column], children })) };
  };
  const head = row(lines[at], "th", cells(lines[at]).length);
  const rows = [];
  let end = at + 2;
  for (; end < lines.length && lines[end].includes("|"); end += 1) rows.push(row(lines[end], "td", head.children.length));
  const children = [{ tag: "thead", children: [head] }, { tag: "tbody", children: rows }];
  return [{ tag: "table", children }, end];
}

/** Reads to which side a column keeps, from the cell that divides it from its head; the usual one is null. */
function side(divider) {
  if (!divider.endsWith(":")) return null;
  return divider.startsWith(":") ? "middle" : "end";
}

/** Tells whether a line ends a paragraph that it stands right below. */
function interrupts(line) {
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);
}

function paragraph(lines, at, depth) {
  let end = at + 1;
  const goesOn = (line) => line.trim() !== "" && (depth >= DEEPEST || !interrupts(line));
  while (end < lines.length && goesOn(lines[end]) && !isTable(lines, end)) end += 1;
  const text = lines.slice(at, end).map((line) => line.trim()).join("\n");
  return [{ tag: "p", children: inline(text) }, end];
}
