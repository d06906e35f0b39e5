// refused by lint/suspicious/noConsole
export const say = (text: string): void => console.log(text);
