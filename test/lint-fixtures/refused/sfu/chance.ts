// refused by lint/nursery/noJsRestrictedProperties
export const roll = (): number => Math.random();
