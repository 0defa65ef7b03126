/** Judges the page at `/` of a service binary. */

import "./markdown.mjs";
import "./thread.mjs";
import "./talk.mjs";
import "./keep.mjs";
import "./cuts.mjs";
import "./trust.mjs";
import "./reach.mjs";
import { judge } from "./judge.mjs";

await judge();
