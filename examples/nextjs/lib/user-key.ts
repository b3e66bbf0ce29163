import "server-only";
import { createClient } from "@qasid/client";

/** What the pages may do. Qasid refuses everything else, and everything that isn't the user's. */
const SCOPES = ["sessions", "messages:send", "messages:read", "chats:write"] as const;
const DAY = 24 * 60 * 60_000;
/** Long, because Qasid lists expired keys until you delete them. */
const LIFETIME = 30 * DAY;
const MARGIN = DAY;

const keys = new Map<string, { secret: Promise<string>; expiresAt: number }>();

/** Returns the URL of the deployment. */
export function qasidUrl(): string {
  return setting("QASID_URL");
}

/** Returns an API key that acts for one user only. It expires after 30 days, and stays on this server. */
export function userKey(userId: string): Promise<string> {
  const known = keys.get(userId);
  if (known !== undefined && Date.now() < known.expiresAt - MARGIN) return known.secret;
  const expiresAt = Date.now() + LIFETIME;
  const secret = createKey(userId, expiresAt);
  keys.set(userId, { secret, expiresAt });
  secret.catch(() => keys.delete(userId));
  return secret;
}

async function createKey(ownerId: string, expiresAt: number): Promise<string> {
  const admin = createClient({ baseUrl: qasidUrl(), key: setting("QASID_KEY") });
  const body = { name: "Next.js", ownerId, scopes: [...SCOPES], expiresAt: new Date(expiresAt).toISOString() };
  const { data } = await admin.POST("/api/keys", { body });
  return data.secret;
}

function setting(name: "QASID_URL" | "QASID_KEY"): string {
  const value = process.env[name];
  if (value === undefined || value === "") throw new Error(`${name} is not set. Set it, for example in .env.local`);
  return value;
}
