/** The page: joins its parts, and knows which conversation is shown. */

import { Api, Refused } from "./api.js";
import { ask } from "./ask.js";
import { Composer } from "./composer.js";
import { announce, byId, el, icon } from "./dom.js";
import { panels, theme } from "./frame.js";
import { Identity } from "./identity.js";
import { MessagesView } from "./messages-view.js";
import { TasksView } from "./tasks-view.js";
import { ThreadsView } from "./threads-view.js";
import { Conversation } from "./turn.js";

/** How many conversations are read at once. */
const PAGE = 50;

/** How much of an answer a screen reader is given. */
const SPOKEN = 600;

const identity = new Identity();
const api = new Api(identity, askForToken);
const drawers = panels();
const composer = new Composer({ send, stop: () => conversation.stop() });
const messages = new MessagesView(byId("log"), byId("to-end"), {
  send,
  retry: (again) => turn(() => conversation.retry(again)),
  act: (item, action) => turn(() => conversation.act(item, action)),
  judge: (item, kind) => conversation.judge(item, kind),
});
const threads = new ThreadsView(byId("threads"), { open: go, rename, remove, more: () => readThreads(true) });
const tasks = new TasksView(byId("tasks"), byId("add-task"), api);

let conversation;
let known = [];
let hasMore = false;
let isDemo = false;
let isDue = false;

theme();
byId("new-thread").prepend(icon("plus"));
byId("new-thread").addEventListener("click", () => go(null));
byId("who").addEventListener("click", changeWho);
addEventListener("hashchange", () => show(wanted()));
document.addEventListener("visibilitychange", () => document.hidden || tasks.refresh());
begin();

async function begin() {
  showWho();
  isDemo = await api.isDemo().catch(() => false);
  byId("banner").hidden = !isDemo;
  await Promise.all([readThreads(), tasks.refresh(), show(wanted())]);
}

/** Returns the conversation that the address names. */
function wanted() {
  return location.hash.length > 1 ? decodeURIComponent(location.hash.slice(1)) : null;
}

/** Goes to a conversation, or to a new one, by way of the address. */
function go(id) {
  drawers.closeAll();
  if (wanted() === id) composer.focus();
  else if (id === null) {
    history.pushState(null, "", `${location.pathname}${location.search}`);
    show(null);
  } else location.hash = id;
}

async function show(id) {
  if (conversation !== undefined && conversation.thread.id === id && id !== null) return;
  conversation?.leave();
  conversation = new Conversation(api);
  listen(conversation);
  messages.clear();
  draw(id !== null);
  threads.mark(id);
  if (matchMedia("(min-width: 761px)").matches) composer.focus();
  if (id === null) return;
  const opening = conversation;
  try {
    await opening.open(id);
  } catch (error) {
    if (opening !== conversation) return;
    if (error instanceof Refused && error.status < 500) {
      go(null);
      conversation.thread.note("There is no such conversation. It may be deleted.", "warning");
      draw();
      announce("There is no such conversation.");
    } else {
      conversation.thread.id = id;
      conversation.thread.fail("The service cannot be reached.", "open");
      draw();
    }
  }
}

function listen(to) {
  const on = (name, act) => to.addEventListener(name, () => to === conversation && act());
  on("change", () => later());
  on("tasks", () => tasks.refresh());
  on("named", named);
  on("over", () => announce(to.thread.textOf().slice(0, SPOKEN)));
}

/** A thread has got an id or a title. */
function named() {
  const { id, title, createdAt } = conversation.thread;
  if (wanted() !== id) history.replaceState(null, "", `${location.pathname}${location.search}#${id}`);
  const row = { id, title, created_at: createdAt };
  known = known.some((thread) => thread.id === id) ? known.map((thread) => (thread.id === id ? row : thread)) : [row, ...known];
  threads.show(known, hasMore);
  threads.mark(id);
}

/** Draws once per picture, however many words come. */
function later() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => draw());
}

function draw(isLoading = false) {
  isDue = false;
  const { thread } = conversation;
  if (isDemo) thread.items = thread.items.filter((item) => item.type !== "notice" || !/\bdemo\b/.test(item.message));
  messages.show(conversation, isLoading);
  composer.show(conversation);
  const title = thread.title ?? "New conversation";
  byId("title").textContent = title;
  document.title = thread.title === null ? "Parlor" : `${title} · Parlor`;
}

function send(text) {
  turn(() => conversation.send(text));
  messages.follow();
  composer.focus();
}

/** Begins a turn, if none is under way, and shows at once that it has begun. */
function turn(begin) {
  if (conversation.isBusy) return;
  announce("Answering");
  begin();
  draw();
}

async function readThreads(isMore = false) {
  const after = isMore ? known.at(-1)?.id : undefined;
  try {
    const page = await api.operate("threads.list", { limit: PAGE, order: "desc", after });
    known = isMore ? [...known, ...page.data] : page.data;
    hasMore = page.has_more;
    threads.show(known, hasMore);
  } catch {
    announce("The conversations could not be read.");
    if (known.length === 0) threads.sorry(() => readThreads());
  }
}

async function rename({ id, title }) {
  const check = (text) => (text === "" ? "A conversation wants a name." : null);
  const answer = await ask({ title: "Rename conversation", text: "", label: "Name", value: title ?? "", ok: "Rename", check });
  if (answer === null) return;
  const done = await attempt(() => api.operate("threads.update", { thread_id: id, title: answer }), "Renamed.");
  if (done && conversation.thread.id === id) {
    conversation.thread.title = answer;
    draw();
  }
  await readThreads();
  threads.focus(id);
}

async function remove({ id, title }) {
  const text = `This deletes “${title ?? "New conversation"}” with all that was said in it. Your tasks stay.`;
  const answer = await ask({ title: "Delete conversation?", text, ok: "Delete", danger: true });
  if (answer === null) return;
  const done = await attempt(() => api.operate("threads.delete", { thread_id: id }), "Deleted.");
  await readThreads();
  if (done && conversation.thread.id === id) go(null);
  else threads.focus(null);
}

/** Does something and says how it went, on the page if it went wrong. */
async function attempt(act, said) {
  try {
    await act();
    announce(said);
    return true;
  } catch (error) {
    conversation.thread.note(error instanceof Refused ? error.message : "The service does not answer.", "warning");
    draw();
    return false;
  }
}

function showWho() {
  const [before, change] = identity.hasToken ? ["Signed in as ", "Change"] : ["User ", "Switch"];
  const name = el("span", { class: "name" }, el("span", { class: "unseen" }, before), identity.user);
  byId("who").replaceChildren(icon("person"), name, el("span", { class: "change" }, change));
}

async function changeWho() {
  if (identity.hasToken) {
    await askForToken(false);
  } else {
    const check = (text) => (identity.become(text) ? null : "Letters, digits and . _ @ : | + ~ = - only, 128 at most.");
    const text = "There are no passwords here: whoever names a user sees their conversations and tasks.";
    if ((await ask({ title: "Who are you?", text, label: "User", value: identity.user, ok: "Continue", check })) === null) return;
  }
  history.pushState(null, "", `${location.pathname}?user=${encodeURIComponent(identity.user)}`);
  showWho();
  await Promise.all([readThreads(), tasks.refresh(), show(null)]);
}

async function askForToken(required = true) {
  const text = identity.hasToken && required ? "The token was not accepted. It may have run out." : "This service wants to know who asks. The token stays in this tab.";
  const check = (token) => (identity.present(token) ? null : "This does not look like a token.");
  await ask({ title: "Sign in", text, label: "Token", ok: "Sign in", check, secret: true, required });
  showWho();
}
