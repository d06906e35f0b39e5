// refused by plugin
export const roll: unknown = Reflect.get(Math, "random");
