// refused by lint/style/noRestrictedImports
import sodium from "sodium-native";

export const library = sodium;
