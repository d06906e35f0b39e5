/** The demo as it is: six turns, half a minute. */
import { holdDemo } from "../held-demo.ts";

holdDemo(6);
