/** Calls that nobody wants any more, at twice and a half as many moments as in every run. */
import { withdrawCalls } from "../scenario/withdrawing.ts";

withdrawCalls(10);
