// Compiled, but not run: each `@ts-expect-error` fails the compilation if its line has no error.

import type { Change, Client, Item, WebhookEvent } from "@qasid/client";

export async function requests(client: Client): Promise<void> {
  const sessionId = "117b233c-fcee-5c30-b5f9-00032fb4b9ea";
  const to = "+201001234567";
  const send = "/api/messages/send";

  await client.POST(send, { body: { sessionId, to, message: "Welcome" } });
  await client.POST(send, { body: { sessionId, to, type: "image", image: { link: "https://example.com/a.png" } } });
  await client.POST(send, { body: { sessionId, to, type: "image", image: { id: "17", caption: "This one" } } });
  await client.POST(send, { body: { sessionId, to, message: "Hi" }, params: { header: { "Idempotency-Key": "1" } } });
  const media: string = await client.uploadMedia(sessionId, new Blob(["%PDF-"], { type: "application/pdf" }));
  await client.POST(send, { body: { sessionId, to, type: "document", document: { media, filename: "Offer.pdf" } } });

  // @ts-expect-error the image has no link, no ID, and no upload
  await client.POST(send, { body: { sessionId, to, type: "image", image: { caption: "This one" } } });
  // @ts-expect-error the object of another type
  await client.POST(send, { body: { sessionId, to, type: "image", text: { body: "Hi" } } });
  // @ts-expect-error neither a message nor a type
  await client.POST(send, { body: { sessionId, to } });
  // @ts-expect-error no recipient
  await client.POST(send, { body: { sessionId, message: "Welcome" } });
  // @ts-expect-error a misspelled member
  await client.POST(send, { body: { sessionId, to, message: "Welcome", refrence: "order-17" } });
  // @ts-expect-error a value that doesn't exist
  await client.POST(send, { body: { sessionId, to, message: "Welcome", priority: "high" } });
  // @ts-expect-error no body
  await client.POST(send, {});
  // @ts-expect-error no options
  await client.POST(send);
  // @ts-expect-error a path that doesn't exist
  await client.GET("/api/message", {});
  // @ts-expect-error a method that the path doesn't have
  await client.GET(send, {});
  // @ts-expect-error no session
  await client.GET("/api/chats", { params: { query: { limit: 10 } } });
  // @ts-expect-error a misspelled parameter
  await client.GET("/api/chats", { params: { query: { sessionId, limt: 10 } } });
  // @ts-expect-error the parameter of the path is missing
  await client.GET("/api/chats/{chatId}", {});
  // @ts-expect-error a body for a request without one
  await client.GET("/api/me", { body: {} });
}

export async function responses(client: Client): Promise<void> {
  const { data } = await client.GET("/api/chats/{chatId}", { params: { path: { chatId: "1" } } });
  const phone: string | null = data.chat.phone_jid;
  // @ts-expect-error null without a phone number
  const certain: string = data.chat.phone_jid;
  // @ts-expect-error a member that doesn't exist
  const missing: unknown = data.chat.phone;
  const image: Blob = (await client.GET("/api/qr", { params: { query: { sessionId: "1" } }, parseAs: "blob" })).data;
  void [phone, certain, missing, image];
}

export async function lists(client: Client, chat: Item<"/api/chats">): Promise<void> {
  const name: string = chat.name;
  const params = { path: { chatId: "1" } };
  for await (const message of client.paginate("/api/chats/{chatId}/messages", { params })) {
    const body: string | null = message.body;
    const url: string | null | undefined = message.media?.url;
    void [body, url];
  }
  for await (const session of client.paginate("/api/sessions")) void session.owner_id;
  // @ts-expect-error no list with pages
  client.paginate("/api/numbers");
  // @ts-expect-error no session
  client.paginate("/api/chats");
  void name;
}

export function changes(change: Change, event: WebhookEvent): void {
  if (change.type === "message.received") {
    const body: string | null | undefined = change.message?.body;
    const unread: number | undefined = change.chat?.unread_count;
    void [body, unread];
  }
  if (change.type === "chat.merged") void change.merged_into;
  // @ts-expect-error not every change has a message
  void change.message;
  if (event.type === "message.sent") void event.data.message?.is_sent;
  if (event.type === "webhook.test") void event.data.webhook_id;
  // @ts-expect-error a type that doesn't exist
  if (event.type === "message.arrived") return;
}
