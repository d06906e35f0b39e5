/** Somebody at the page: does what people do there, and reads what they see. */
import { mkdtempSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Download, Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { parseWav, type Wav } from "../../../codecs/wav.ts";
import { verifier } from "../../../platform/node/sodium.ts";
import type { EvidenceReport } from "../../../signaling/evidence/report.ts";
import { verifyEvidence } from "../../../signaling/evidence/verify.ts";
import type { Chromium } from "../chromium.ts";

/** How long anything on the page may take on a busy machine, ms. */
const PATIENCE = 20_000;
/** Nobody who is silent for so long goes on with what was being said, ms. */
const LASTING_SILENCE = 1_500;

export class Visitor {
  readonly page: Page;
  readonly #folder: string;

  private constructor(page: Page, folder: string) {
    this.page = page;
    this.#folder = folder;
  }

  /** Opens the page in a tab of its own. What is downloaded goes to folders in `folder`. */
  static async open(browser: Chromium, url: string, folder: string): Promise<Visitor> {
    const page = await browser.open();
    page.setDefaultTimeout(PATIENCE);
    await page.goto(url);
    return new Visitor(page, folder);
  }

  /** The same, once the page is online. */
  static async arrive(browser: Chromium, url: string, folder: string): Promise<Visitor> {
    const visitor = await Visitor.open(browser, url, folder);
    await visitor.line("online");
    return visitor;
  }

  /** Waits until the page stands so with the server. */
  async line(line: "online" | "offline" | "closed"): Promise<void> {
    await this.#sees(this.page.locator(`#page[data-line="${line}"]`));
  }

  /** Waits until the page's call stands so. */
  async phase(...phases: ("idle" | "ringing" | "up" | "ended" | "failed")[]): Promise<void> {
    await this.#sees(this.page.locator(phases.map((phase) => `#page[data-state="${phase}"]`).join()));
  }

  async press(name: string): Promise<void> {
    await this.page.getByRole("button", { name, exact: true }).click();
  }

  /** Goes by another name from now on. */
  async introduce(name: string): Promise<void> {
    await this.page.getByTestId("who").locator("summary").first().click();
    await this.page.getByLabel("Your name").fill(name);
    await this.press("Use this name");
    await this.page.getByTestId("own-name").filter({ hasText: name }).waitFor();
    await this.line("online");
  }

  /** Goes by a name made up for this tab from now on; gives it. */
  async becomeSomebodyElse(): Promise<string> {
    const name = await this.text("own-name");
    await this.page.getByTestId("who").locator("summary").first().click();
    await this.press("Be somebody else in this tab");
    await this.page.getByTestId("own-name").filter({ hasNotText: name }).waitFor();
    await this.line("online");
    return await this.text("own-name");
  }

  /** Sends something in the data pane. */
  async send(text: string): Promise<void> {
    await this.page.getByLabel("Message: JSON, or plain text").fill(text);
    await this.press("Send");
  }

  /** Calls somebody from the dial pad and waits until they answered. */
  async call(name: string): Promise<void> {
    await this.ring(name);
    await this.phase("up");
  }

  /** Calls somebody from the dial pad. */
  async ring(name: string): Promise<void> {
    await this.page
      .getByTestId("dial")
      .getByRole("button", { name: `Call ${name}`, exact: true })
      .click();
  }

  /** Hangs up and waits until the call is over. */
  async hangUp(): Promise<void> {
    await this.press("Hang up");
    await this.phase("ended");
  }

  text(id: string): Promise<string> {
    return this.page.getByTestId(id).innerText();
  }

  /** One of the page's counts, e.g. `heard-verified`. */
  async count(id: string): Promise<number> {
    return Number(await this.page.getByTestId(id).textContent());
  }

  /** A whole key or Agent-ID, hex, e.g. `peer-id`. */
  async key(id: string): Promise<string> {
    const full = await this.page.getByTestId(id).locator("code.full").textContent();
    return (full ?? "").replaceAll(" ", "");
  }

  /** Waits until one of the page's counts is more than `least`. */
  async counts(id: string, least: number): Promise<void> {
    try {
      await expect.poll(() => this.count(id), { interval: 100, timeout: PATIENCE }).toBeGreaterThan(least);
    } catch (error) {
      throw await this.#withPage(error);
    }
  }

  /** Waits until something on the page reads so. */
  async reads(id: string, pattern: RegExp): Promise<void> {
    await this.#sees(this.page.getByTestId(id).filter({ hasText: pattern }).first());
  }

  /** Waits until the other end has spoken and is done: silent for long enough that no stall of a busy machine looks like it. */
  async hearsOut(): Promise<void> {
    await this.reads("peer-speaking", /speaking/);
    let spokeAt = performance.now();
    try {
      const silence = async (): Promise<number> => {
        if ((await this.text("peer-speaking")) !== "silent") spokeAt = performance.now();
        return performance.now() - spokeAt;
      };
      await expect.poll(silence, { interval: 100, timeout: PATIENCE }).toBeGreaterThan(LASTING_SILENCE);
    } catch (error) {
      throw await this.#withPage(error);
    }
  }

  /** How the call ended: sentence and code. */
  async outcome(): Promise<readonly [string, string]> {
    await this.phase("ended", "failed");
    return [await this.text("outcome"), await this.text("outcome-code")];
  }

  /**
   * Why frames of this call were refused, either way, beside those that a busy machine brought too late, and those under way as the other
   * end went away.
   */
  async refusals(): Promise<readonly string[]> {
    const reasons = await Promise.all([this.text("heard-reasons"), this.text("sent-reasons")]);
    return reasons.filter(
      (text) => !/^(Refused for ((stale|session-state) \(\d+\): [^;.]*(; )?)+\.)?$/.test(text),
    );
  }

  /** Begins to watch the page's main thread; the function it gives tells how that went since. */
  async timing(): Promise<() => Promise<{ readonly framesPerSecond: number; readonly longestTask: number }>> {
    const look = () =>
      this.page.evaluate(() => {
        const kept = globalThis as { tasks?: number[] };
        if (kept.tasks === undefined) {
          const tasks: number[] = [];
          kept.tasks = tasks;
          new PerformanceObserver((list) => {
            for (const { duration } of list.getEntries()) tasks.push(duration);
          }).observe({ type: "longtask" });
        }
        const sent = Number(document.querySelector('[data-testid="sent-sent"]')?.textContent);
        return { at: performance.now(), sent, tasks: kept.tasks };
      });
    const before = await look();
    return async () => {
      const { at, sent, tasks } = await look();
      return {
        framesPerSecond: ((sent - before.sent) * 1000) / (at - before.at),
        longestTask: Math.max(0, ...tasks),
      };
    };
  }

  /** What the page heard, by its own download. */
  async heard(): Promise<Wav> {
    const wav = parseWav(await readFile(await this.#download("Save what I heard")));
    if (!wav.ok) throw new Error(wav.fault.message);
    return wav.value;
  }

  /** What became of the frames that came, and how they were played: to say why a melody is not whole. */
  async hearing(): Promise<string> {
    const frames = await this.page.getByRole("img", { name: /^Heard: / }).getAttribute("aria-label");
    const way = await this.page.locator(".way dl").first().innerText();
    return `${frames}; ${way.replace(/\s+/g, " ")}`;
  }

  /**
   * Looks so often at the other end's picture, each time when it shows another one: how far apart its brightest and darkest pixels are at
   * least, and how often it had changed.
   */
  async watches(times: number): Promise<{ readonly spread: number; readonly changed: number }> {
    const looking = this.page.evaluate(async (times) => {
      const figure = document.querySelector<HTMLElement>('[data-testid="picture-seen"]');
      const canvas = figure?.querySelector<HTMLCanvasElement | HTMLVideoElement>("canvas, video");
      if (figure === null || canvas === null || canvas === undefined) throw new Error("There is no picture.");
      const small = new OffscreenCanvas(32, 18).getContext("2d", { willReadFrequently: true });
      if (small === null) throw new Error("There is nothing to look with.");
      let [spread, changed, before] = [255, 0, ""];
      for (let look = 0; look < times; look += 1) {
        const { shown } = figure.dataset;
        // A few pictures and some time on, something has moved.
        const from = performance.now();
        while (Number(figure.dataset.shown) < Number(shown) + 3 || performance.now() < from + 400)
          await new Promise(requestAnimationFrame);
        small.drawImage(canvas, 0, 0, 32, 18);
        const { data } = small.getImageData(0, 0, 32, 18);
        const greens = Array.from({ length: data.length / 4 }, (_, pixel) => data[4 * pixel + 1] ?? 0);
        spread = Math.min(spread, Math.max(...greens) - Math.min(...greens));
        const now = greens.join();
        if (before !== "" && before !== now) changed += 1;
        before = now;
      }
      return { spread, changed };
    }, times);
    const tooLong = AbortSignal.timeout(PATIENCE);
    const { promise: isTooLong, reject } = Promise.withResolvers<never>();
    tooLong.addEventListener("abort", () => reject(new Error("The picture stood still.")));
    try {
      return await Promise.race([looking, isTooLong]);
    } catch (error) {
      throw await this.#withPage(error);
    }
  }

  /** Whether the page has given its camera and screen back. */
  async cameraIsOff(): Promise<boolean> {
    return await this.page.evaluate(() =>
      [...document.querySelectorAll("video")].every(({ srcObject }) =>
        (srcObject as MediaStream | null)?.getTracks().every(({ readyState }) => readyState === "ended"),
      ),
    );
  }

  /** Path of the evidence that the page downloads. */
  evidence(): Promise<string> {
    return this.#download("Download the evidence");
  }

  /** What is to be said of that evidence where no anchors are given, and what is wrong with it. */
  async judged(): Promise<Pick<EvidenceReport, "verdict" | "faults">> {
    const { verdict, faults } = verifyEvidence(
      await readFile(await this.evidence()),
      undefined,
      verifier,
    ).report;
    return { verdict, faults };
  }

  /** Waits for something on the page; without it, rejects with all that stands there. */
  async #sees(wanted: Locator): Promise<void> {
    try {
      await wanted.waitFor();
    } catch (error) {
      throw await this.#withPage(error);
    }
  }

  async #withPage(error: unknown): Promise<Error> {
    const shown = await this.page.locator("body").innerText();
    return new Error(`${(error as Error).message}\nThe page shows:\n${shown}`, { cause: error });
  }

  async #download(button: string): Promise<string> {
    const coming: Promise<Download> = this.page.waitForEvent("download");
    await this.press(button);
    const download = await coming;
    // Both ends of a call give its files the same names.
    const path = join(mkdtempSync(join(this.#folder, "visitor-")), download.suggestedFilename());
    await download.saveAs(path);
    return path;
  }
}
