// The JSON of the simulator's control API (docs/simulator.md), for the type checker.

export interface Conversation {
  phoneNumberId: string;
  name: string;
  displayPhoneNumber: string;
  received: number;
  unread: number;
  typing: boolean;
}

export interface Settings {
  onWhatsApp: boolean;
  online: boolean;
  blocked: boolean;
  readReceipts: boolean;
  sharesNumber: boolean;
  automaticTicks: "sent" | "delivered" | "read";
}

export interface Phone extends Settings {
  number: string | null;
  userId: string;
  name: string | null;
  username: string | null;
  conversations: Conversation[];
}

export interface BusinessNumber {
  phoneNumberId: string;
  displayPhoneNumber: string;
  verifiedName: string;
}

export interface Reaction {
  from: "phone" | "business";
  emoji: string;
}

/** A message or call. The object named by `type` has the content, as in the Cloud API. */
export interface Message {
  id: string;
  position: number;
  phoneNumberId: string;
  from: "phone" | "business";
  type: string;
  at: string;
  status: string;
  errorCode?: number;
  reactions?: Reaction[];
  edited?: boolean;
  deleted?: boolean;
  context?: { id?: string; message_id?: string; forwarded?: boolean; frequently_forwarded?: boolean };
  rendered?: any[];
  [content: string]: any;
}

export interface Page {
  messages: Message[];
  cursor: number;
  more: boolean;
  phone: Phone;
}

export interface WebhookFaults {
  duplicates: number;
  reorder: boolean;
  bsuidOnly: boolean;
  hold: boolean;
  noRead: boolean;
  noDelivered: boolean;
  withoutCallbackData: boolean;
  delay: number;
}

export interface SendFault {
  times: number | null;
  [kind: string]: any;
}

export interface Faults {
  sends: SendFault | null;
  media: Partial<Record<"lookups" | "downloads" | "uploads", SendFault>>;
  webhooks: WebhookFaults;
  window: boolean;
}

export interface TableFaults {
  percent: number;
  functions: string[];
}

/** The first attempts to deliver the webhooks that a request caused. */
export interface Delivered {
  ids: string[];
  deliveries: { status: number | null; error?: string }[];
}

/** What every part of the page can do. */
export interface Actions {
  /** Shows a short text for a few seconds. */
  toast(text: string, kind?: "error"): void;
  /** Shows the sentence of a failed request. */
  fail(error: unknown): void;
}
