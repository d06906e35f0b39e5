import { afterEach, describe, expect, it, vi } from "vitest";
import { ParleyError } from "../../codecs/parley-error.ts";
import { EXIT } from "./exit-codes.ts";
import { Output } from "./output.ts";

function listen() {
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      said[name] += text;
      return true;
    });
  }
  return said;
}
afterEach(() => vi.restoreAllMocks());

describe("Output", () => {
  it("never hands a terminal what it would obey", () => {
    const said = listen();
    new Output(false).result({}, "name \u001b[2J\u009b1m\u202eevil\nnext");
    new Output(false).note("bell \u0007");
    expect(said.stdout).toBe("name \\u{1b}[2J\\u{9b}1m\\u{202e}evil\\u{a}next\n");
    expect(said.stderr).toBe("bell \\u{7}\n");
  });

  it("tells a failure in one line, with the operating system's reason, and as JSON where asked", () => {
    const said = listen();
    const cause = Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" });
    const error = new ParleyError(
      { code: "data-folder-unwritable", message: "It cannot be written." },
      { cause },
    );
    expect(new Output(true).failure(error)).toBe(EXIT.dataFolder);
    expect(said.stderr).toBe("parley: data-folder-unwritable: It cannot be written. (EACCES)\n");
    expect(JSON.parse(said.stdout)).toMatchObject({ error: { code: "data-folder-unwritable" } });
  });

  it("has an exit code and a line for what nobody foresaw", () => {
    const said = listen();
    expect(new Output(false).failure(new TypeError("x is not a function\n    at somewhere"))).toBe(
      EXIT.failed,
    );
    expect(said.stderr).toBe("parley: server-error: x is not a function\n");
  });
});
