// refused by lint/suspicious/noSkippedTests
import { it } from "vitest";

it.skip("is looked at later", () => {});
