/** What the page makes of Markdown, without a browser. */

import assert from "node:assert/strict";
import { check } from "./judge.mjs";
import { blocks } from "./web/markdown.js";

/** Writes a tree in short: `p(a strong(b))`. */
function short(nodes) {
  const one = (node) => {
    if (typeof node === "string") return node;
    const side = node.side ? `:${node.side}` : "";
    const mark = node.href === undefined ? "" : `<${node.href}>`;
    const box = node.box === undefined || node.box === null ? "" : node.box ? "[x]" : "[ ]";
    return `${node.tag}${side}${mark}(${box}${short(node.children)})`;
  };
  return nodes.map(one).join("");
}

const READ = [
  ["a **b** *c* ~~d~~ `e*f*`", "p(a strong(b) em(c) del(d) code(e*f*))"],
  ["2 * 3 * 4 and snake_case_name", "p(2 * 3 * 4 and snake_case_name)"],
  ["one\ntwo", "p(onebr()two)"],
  ["# A\ntext\n---", "h1(A)p(text)hr()"],
  ["Your tasks:\n1. [ ] milk\n2. [x] mom", "p(Your tasks:)ol(li([ ]milk)li([x]mom))"],
  ["- a\n  - b\n- c", "ul(li(aul(li(b)))li(c))"],
  ["> a\n> b", "blockquote(p(abr()b))"],
  ["```js\na **b**\n```\nafter", "pre(a **b**)p(after)"],
  ["```\nnot ended", "pre(not ended)"],
  ["| a | b |\n|---|---|\n| 1 |", "table(thead(tr(th(a)th(b)))tbody(tr(td(1)td())))"],
  ["| a | b | c |\n|:--|:-:|--:|\n| 1 | 2 | 3 |", "table(thead(tr(th(a)th:middle(b)th:end(c)))tbody(tr(td(1)td:middle(2)td:end(3))))"],
  ["[a](https://b.c/d) https://e.f.", "p(a<https://b.c/d>(a) a<https://e.f>(https://e.f).)"],
  ["![a](https://b.c/d.png)", "p(a<https://b.c/d.png>(a))"],
  ["<img src=x onerror=alert(1)>", "p(<img src=x onerror=alert(1)>)"],
  ["[a](javascript:alert(1)) [b](data:text/html,x)", "p([a](javascript:alert(1)) [b](data:text/html,x))"],
];

for (const [text, expected] of READ) {
  check(`${JSON.stringify(text)} is read as ${expected}`, () => assert.equal(short(blocks(text)), expected));
}

check("a text that is made to be slow is read as fast as any", () => {
  for (const part of ["**", "*a ", "[", "`", "> ", "- ", "_a_", "[a](", "~~a", "| ", "``` `", "[[]("]) {
    const began = performance.now();
    blocks(part.repeat(20_000));
    assert.ok(performance.now() - began < 1000, part);
  }
});
