// refused by lint/nursery/noFloatingPromises
async function send(): Promise<void> {}

export function start(): void {
  send();
}
