// The screens and dialogs that are checked in all variants.

import { api, simulator, until } from "./calls.mjs";
import { CUSTOMER, CUSTOMER_NUMBER, OWNER_ID, TRACED } from "./conversation.mjs";
import { NAME as FILES_CUSTOMER } from "./media.mjs";
import { settings } from "./report.mjs";

const { ready } = settings;
const CONSOLE = ready.console.replace(/#.*/, "");

/** Returns the element with a role and a name, which is given in English and in Arabic. */
const named = (page, role, english, arabic) => page.getByRole(role, { name: new RegExp(`^(${english}|${arabic})$`) });

const button = (english, arabic) => (page) => named(page, "button", english, arabic).click();

/** The link to the screen that is shown. */
const current = (page) => page.locator('a[aria-current="page"]');

/** Shows a screen of the console, and waits until it has what `ready` returns. */
async function show(page, path, ready) {
  if (!page.url().startsWith(CONSOLE)) await page.goto(CONSOLE);
  const dialog = page.getByRole("dialog").first();
  if (await dialog.isVisible()) await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  // Closes what else the last view has opened.
  await page.evaluate(() => (location.hash = "#/none"));
  await current(page).waitFor({ state: "detached" });
  await page.evaluate((hash) => (location.hash = hash), `#/${path}`);
  await current(page).and(page.locator(`[href="#/${path.split("/")[0]}"]`)).waitFor();
  await ready(page.getByRole("main")).first().waitFor();
}

/** What a screen has when it has loaded. */
const heading = (main) => main.getByRole("heading", { level: 2 });
const chatLink = (main) => main.getByRole("listitem").getByRole("link");
const listItem = (main) => main.getByRole("listitem");
const row = (main) => main.getByRole("row");
const form = (main) => main.getByRole("form");

/** Returns a view of a screen, in which `steps` are made. */
function screen(name, path, ready, ...steps) {
  const open = async (page) => {
    await show(page, path, ready);
    for (const step of steps) await step(page);
  };
  return { name, open };
}

/** Conversations, in which a customer and the agent take turns, and the customer reacts to the first answer. */
const CONVERSATIONS = [
  {
    from: "201008888888",
    name: "نورة",
    turns: [
      "السلام عليكم، هل المتجر مفتوح يوم الجمعة؟",
      "وعليكم السلام، نعم، من الثانية ظهرًا حتى العاشرة مساءً.",
      "وهل التوصيل مجاني؟",
      "نعم، لكل طلب يزيد على 500 جنيه.",
      "شكرًا، متى يصل طلبي؟",
    ],
  },
  {
    from: "447911900001",
    name: "Grace Owusu",
    turns: [
      "Hi! Is order 2041 on its way?",
      "Hello Grace! It left the warehouse at noon.",
      "Can the driver leave it with the neighbor at number 12?",
      "Sure, I've added a note for the driver.",
      "Great, I'll be home from 5.",
    ],
  },
];

/** Fills the inbox for the screens. */
async function talk(sessionId) {
  const timestamp = String(Math.floor(Date.now() / 1000) - 48 * 3600);
  await simulator("messages", { from: "201007777777", name: "Youssef", text: "Please call me back.", timestamp });
  for (const { from, name, turns } of CONVERSATIONS) {
    for (const [index, text] of turns.entries()) {
      if (index % 2 === 0) {
        await simulator("messages", { from, name, text });
        await chatNamed(sessionId, name, text);
        continue;
      }
      await api("messages/send", { sessionId, to: from, message: text });
      const { id } = await until(async () => (await simulator("messages")).messages.find(({ body }) => body.text?.body === text));
      if (index === 1) await simulator("messages", { from, type: "reaction", reaction: { message_id: id, emoji: "🙏" } });
    }
  }
}

/** Waits for the chat with a contact, and for its last message if `text` is given. Returns the chat's ID. */
async function chatNamed(sessionId, name, text) {
  const chat = await until(async () => {
    const { chats } = await api(`chats?sessionId=${sessionId}&limit=100`);
    return chats.find((one) => one.name === name && (!text || one.last_message === text));
  });
  return chat.id;
}

/** Creates what the screens show beside the scripted run's chats, and returns the IDs that the views need. */
export async function findIds() {
  const { sessions } = await api("sessions");
  const [session, otherSession] = [true, false].map((isOwn) => sessions.find((one) => (one.owner_id === OWNER_ID) === isOwn).id);
  await talk(session);
  const [{ webhooks }, { rules }] = await Promise.all([api(`webhooks?sessionId=${session}`), api(`auto-replies?sessionId=${session}`)]);
  return {
    session,
    otherSession,
    chat: await chatNamed(session, CUSTOMER),
    closedChat: await chatNamed(session, "Youssef"),
    filesChat: await chatNamed(session, FILES_CUSTOMER),
    englishChat: await chatNamed(session, "Grace Owusu"),
    arabicChat: await chatNamed(session, "نورة"),
    webhook: webhooks[0].id,
    rule: rules[0].id,
  };
}

/** Returns the views of the console. `ids` are those that `findIds` returns. */
export function views(ids) {
  const chat = `inbox/${ids.chat}`;
  const traced = (main) => main.getByRole("log").locator('[tabindex="-1"]').filter({ hasText: TRACED });
  const log = (main) => main.getByRole("log").getByRole("time");
  const details = async (page) => {
    const message = traced(page.getByRole("main"));
    await message.hover();
    await named(message, "button", "Message actions", "إجراءات الرسالة").click();
    await named(page, "menuitem", "Details", "التفاصيل").click();
    await page.getByRole("complementary").getByRole("listitem").first().waitFor();
  };
  const dialog = (page) => page.getByRole("dialog").first().waitFor();
  const attach = button("Attach a file, location, or contact", "إرفاق ملف أو موقع أو جهة اتصال");
  const chooseFile = (page) =>
    page.getByRole("dialog").locator("input[type=file]").setInputFiles({ name: "menu.pdf", mimeType: "application/pdf", buffer: Buffer.from("%PDF-1.4") });
  const session = (id) => (page) => named(page, "combobox", "Session", "الجلسة").selectOption(id);
  return [
    {
      name: "sign-in",
      open: async (page) => {
        await page.goto(CONSOLE);
        await page.getByRole("textbox").waitFor();
      },
    },
    {
      name: "inbox",
      open: async (page) => {
        // The console takes the key when the page loads.
        await page.goto("about:blank");
        await page.goto(ready.console);
        await session(ids.session)(page);
        await show(page, "inbox", chatLink);
      },
    },
    screen("chat", chat, traced),
    screen("English chat", `inbox/${ids.englishChat}`, log),
    screen("Arabic chat", `inbox/${ids.arabicChat}`, log),
    screen("files", `inbox/${ids.filesChat}`, (main) => main.getByRole("log").locator("audio")),
    screen("message details", chat, traced, details),
    screen("emoji", chat, traced, button("Emoji", "الرموز التعبيرية"), dialog),
    screen("attachment", chat, traced, attach, dialog),
    screen("attachment with a file", chat, traced, attach, dialog, chooseFile, (page) => page.getByText("menu.pdf").waitFor()),
    screen("template picker", chat, traced, button("Send a template", "إرسال قالب"), dialog),
    screen("closed window", `inbox/${ids.closedChat}`, (main) => main.getByRole("button", { name: /hello_world/ })),
    screen("new chat", "inbox", chatLink, button("New chat", "محادثة جديدة"), dialog),
    screen("new session", "inbox", chatLink, button("New session", "جلسة جديدة"), dialog),
    screen("overview", "overview", heading),
    screen("connection", "connect", heading),
    screen("webhooks", "webhooks", listItem),
    screen("new webhook", "webhooks/new", form),
    screen("webhook", `webhooks/${ids.webhook}`, listItem),
    screen("auto-replies", "auto-replies", heading),
    screen("new rule", "auto-replies/new", form),
    screen("rule", `auto-replies/${ids.rule}`, form),
    screen("events", "events", listItem),
    screen("health", "health", heading),
    screen("keys", "keys", row),
    screen("new key", "keys", row, button("Create a key", "إنشاء مفتاح"), dialog),
    screen("numbers", "numbers", heading),
    screen("new number", "numbers", heading, button("Add a number", "إضافة رقم"), dialog),
    screen("pairing", "connect", heading, session(ids.otherSession), (page) => page.getByRole("main").getByRole("img").waitFor()),
  ];
}

/** Returns the views of the phones' page. */
export function phoneViews() {
  return [
    {
      name: "phone",
      open: async (page) => {
        await page.goto(`${ready.phone}#${CUSTOMER_NUMBER}`);
        await page.getByRole("log").getByText(TRACED).waitFor();
      },
    },
    {
      name: "phone: faults",
      open: async (page) => {
        await named(page, "button", "Faults", "الأعطال").click();
        await page.getByRole("radio").first().waitFor();
      },
    },
    {
      name: "phone: scan",
      open: async (page) => {
        await page.reload();
        await named(page, "button", "Scan QR code", "مسح رمز QR").click();
        await page.getByRole("dialog").waitFor();
      },
    },
  ];
}
