// refused by plugin
export const here: string = import.meta.url;
