import "server-only";
import { connection } from "next/server";

export interface User {
  /** The `userId` of the user's session in Qasid. */
  id: string;
}

/**
 * Returns the user who is signed in, or `null`. Replace this with the check of your login. With Supabase:
 *
 * ```ts
 * const supabase = await createClient(); // of @supabase/ssr, with the cookies of the request
 * const { data } = await supabase.auth.getClaims();
 * return data === null ? null : { id: data.claims.sub };
 * ```
 *
 * Until then, everyone who reaches this server is the user in `DEMO_USER`. Without it, nobody is signed in.
 */
export async function currentUser(): Promise<User | null> {
  await connection(); // Reads the environment when a request arrives, not when the app is built.
  const id = process.env["DEMO_USER"];
  return id === undefined || id === "" ? null : { id };
}
