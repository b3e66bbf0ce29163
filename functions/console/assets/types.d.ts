// Types of the API's responses, for the type checker only (docs/api.md).

export interface Caller {
  key_id: string;
  is_admin: boolean;
  owner_id: string | null;
  session_id: string | null;
  scopes: string[];
}

export interface Session {
  id: string;
  owner_id: string;
  is_connected: boolean;
  is_ready: boolean;
  qr: string | null;
  qr_expires_at: string | null;
  qr_expired?: boolean;
  phone_number_id: string | null;
  pairing_error: string | null;
  paused_reason: string | null;
  unknown_policy: "fail" | "resend";
  stop_words: string[] | null;
  start_words: string[] | null;
  default_country: string | null;
  created_at: string;
  updated_at: string;
}

export type ChatStatus = "INBOX" | "PENDING" | "RESOLVED" | "ARCHIVED";

export interface Chat {
  id: string;
  session_id: string;
  remote_id: string;
  phone_jid: string | null;
  lid: string | null;
  name: string;
  username: string | null;
  user_id: string | null;
  type: "INDIVIDUAL" | "GROUP";
  status: ChatStatus;
  is_unread: boolean;
  unread_count: number;
  last_message: string | null;
  last_message_at: string | null;
  consent: { marketing: "granted" | "denied" | "unknown"; since: string | null; source: string | null };
  last_inbound_at?: string | null;
  window_until?: string | null;
  entry_point_until?: string | null;
  created_at: string;
}

export type MessageStatus =
  | "received" | "pending" | "sending" | "unknown" | "sent" | "delivered" | "read" | "played" | "failed";

export interface Reaction { by: string; emoji: string; at: string }

export interface Attempt {
  at: string;
  outcome: "accepted" | "not_sent" | "unanswered" | "rejected";
  code?: number | null;
  error?: string | null;
  fbtrace_id?: string | null;
}

/** The file of a message. */
export interface Media {
  id: string;
  state: "awaiting_upload" | "pending" | "stored" | "too_large" | "gone" | "failed";
  mime_type: string | null;
  size: number | null;
  sha256: string | null;
  file_name: string | null;
  url: string | null;
  url_expires_at: string | null;
}

export interface Message {
  id: string;
  chat_id: string;
  body: string | null;
  type: string;
  from_me: boolean;
  username: string | null;
  user_id: string | null;
  is_sent: boolean;
  status: MessageStatus;
  wamid: string | null;
  error: string | null;
  reference: string | null;
  category: string | null;
  priority: string | null;
  timestamp: string;
  to?: string | null;
  source?: string | null;
  content?: any;
  media?: Media | null;
  raw?: any;
  context?: any;
  referral?: any;
  author?: any;
  reactions?: Reaction[];
  edited_at?: string | null;
  original_body?: string | null;
  revoked_at?: string | null;
  valid_until?: string | null;
  message_status?: string | null;
  attempts?: Attempt[];
  statuses?: Record<string, string | null>;
  errors?: { code: number; title?: string; details?: string }[];
  pricing?: any;
  conversation?: any;
  payment?: any;
  participants?: any;
  received_at?: string | null;
  duplicates?: number;
  request_id?: string | null;
}

export interface Change {
  id: string;
  sequence: number;
  type: string;
  at: string;
  session_id: string;
  chat_id: string | null;
  message_id?: string;
  status?: MessageStatus;
  source?: string | null;
  message?: Message | null;
  chat?: Chat | null;
  merged_into?: string | null;
  session?: Session | null;
  event?: any;
  webhook_id?: string;
}

/** What every screen gets. */
export interface ScreenProps {
  /** The selected session; null if there is none yet. */
  session: Session | null;
  caller: Caller;
  /** The part of the address after the screen's name: `["<chatId>"]` for `#/inbox/<chatId>`. */
  path: string[];
  /** Shows a session that a screen changed. */
  onSession: (session: Session) => void;
  /** Reads a session again that has changed. */
  reloadSession: (id: string) => Promise<void>;
  /** Reads the sessions again after one was erased. */
  reloadSessions: () => Promise<void>;
  /** The address of the simulated phone; null except on a local run. */
  phone: string | null;
}
