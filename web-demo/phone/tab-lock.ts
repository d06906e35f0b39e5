/** One tab of this browser at a time is online as an agent. */
export class TabLock {
  readonly #release: () => void;

  private constructor(release: () => void) {
    this.#release = release;
  }

  /**
   * Takes the lock of an agent; undefined when another tab holds it. With `steal` it is taken from that tab, whose `lost`
   * is then called.
   */
  static async take(
    agentId: string,
    options: { readonly steal: boolean; readonly lost: () => void },
  ): Promise<TabLock | undefined> {
    const { promise: taken, resolve, reject } = Promise.withResolvers<TabLock | undefined>();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    let isHeld = false;
    navigator.locks
      .request(
        `parley agent ${agentId}`,
        options.steal ? { steal: true } : { ifAvailable: true },
        async (lock) => {
          if (lock === null) {
            resolve(undefined);
            return;
          }
          isHeld = true;
          resolve(new TabLock(release));
          await held;
        },
      )
      .catch((error: unknown) => {
        if (isHeld) options.lost();
        else reject(error);
      });
    return await taken;
  }

  release(): void {
    this.#release();
  }
}
