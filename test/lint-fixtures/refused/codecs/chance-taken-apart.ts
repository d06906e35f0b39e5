// refused by lint/nursery/noJsRestrictedProperties, plugin
export const { random } = Math;
