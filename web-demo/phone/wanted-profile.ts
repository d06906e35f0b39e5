/** What the page's address says of how frames are to be attributed, `?profile=chain`, for calls made from here. */
export function wantedProfile(search: string): { readonly profile?: "frame" | "chain" } {
  const profile = new URLSearchParams(search).get("profile");
  return profile === "frame" || profile === "chain" ? { profile } : {};
}
