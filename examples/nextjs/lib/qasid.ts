import { createClient, QasidError, type components } from "@qasid/client";

export type Session = components["schemas"]["Session"];
export type Chat = components["schemas"]["Chat"];
export type Media = components["schemas"]["Media"];
/** A message of a chat. The response to a send has neither `media` nor `revoked_at`. */
export type Message = components["schemas"]["Message"] & { media?: Media | null; revoked_at?: string | null };

/** The client of the pages. Its requests go to the route handler of this app, which adds the key. */
export const qasid = createClient({ baseUrl: "" });

/** Returns what went wrong, for people. */
export function textOf(error: unknown): string {
  return error instanceof QasidError ? error.message : "Something went wrong.";
}
