/** What a registry, or its token server, is shown to let us in. */

/** `from` says where they were found, for messages: never the value. */
export type Credentials = { readonly from: string } & (
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'identity-token'; readonly username: string; readonly token: string }
  | { readonly kind: 'bearer'; readonly token: string }
);
