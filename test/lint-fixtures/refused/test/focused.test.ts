// refused by lint/suspicious/noFocusedTests
import { it } from "vitest";

it.only("is the only one run", () => {});
