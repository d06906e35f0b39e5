/** The demo's first question and its answer; `test/long` holds the whole conversation. */
import { holdDemo } from "../held-demo.ts";

holdDemo(2);
