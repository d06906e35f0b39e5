/** Calls that nobody wants any more, each stage of their setting up met once or more. */
import { withdrawCalls } from "./withdrawing.ts";

withdrawCalls(25);
