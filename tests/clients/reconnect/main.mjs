/** Judges the loop of docs/clients against a service binary. */

import "./frames.mjs";
import "./cuts.mjs";
import "./ends.mjs";
import { judge } from "./judge.mjs";

await judge();
