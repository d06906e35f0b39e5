import { expect, it } from "vitest";
import { TOKEN_LIFETIME_SECONDS, UrlTokens, withToken } from "./url-tokens.ts";

const PAGE = "http://127.0.0.1:8480";
const URL = "https://127.0.0.1:4480/agtp";

function scene() {
  const machine = { wall: 1_800_000_000_000, origins: [PAGE, "https://media.example"] };
  const tokens = new UrlTokens({ origins: () => machine.origins, wall: () => machine.wall });
  return { machine, tokens };
}

it("takes a token for a minute and not longer", () => {
  const { machine, tokens } = scene();
  const url = withToken(URL, tokens.mint(PAGE));
  expect(tokens.fault(url, true)).toBeUndefined();
  machine.wall += (TOKEN_LIFETIME_SECONDS - 1) * 1000;
  expect(tokens.fault(url, true)).toBeUndefined();
  machine.wall += 1000;
  expect(tokens.fault(url, true)).toBe("token-expired");
});

it("asks for one only where it is required, and judges one that is there all the same", () => {
  const { tokens } = scene();
  expect([tokens.fault(URL, false), tokens.fault(URL, true)]).toEqual([undefined, "token-missing"]);
  expect(tokens.fault(withToken(URL, "rubbish"), false)).toBe("token-invalid");
});

it("refuses a token of a page elsewhere, of another process, and one that was changed anywhere", () => {
  const { machine, tokens } = scene();
  const token = tokens.mint("https://media.example");
  expect(tokens.fault(withToken(URL, scene().tokens.mint(PAGE)), true)).toBe("token-invalid");
  machine.origins = [PAGE];
  expect(tokens.fault(withToken(URL, token), true)).toBe("token-invalid");
  const own = tokens.mint(PAGE);
  for (let at = 0; at < own.length; at += 1) {
    const changed = `${own.slice(0, at)}${own[at] === "A" ? "B" : "A"}${own.slice(at + 1)}`;
    expect(tokens.fault(withToken(URL, changed), true), changed).toBe("token-invalid");
  }
});
