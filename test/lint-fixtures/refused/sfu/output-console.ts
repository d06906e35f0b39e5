// refused by lint/style/noRestrictedGlobals
export const say = (text: string): void => console.log(text);
