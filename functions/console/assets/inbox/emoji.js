// The emoji picker: a small set, in groups, found by name in both languages.

import { useEffect, useRef, useState } from "preact/hooks";
import { Field, IconButton, html } from "../components.js";
import { language, strings } from "../i18n.js";

const t = strings({
  en: {
    title: "Emoji", search: "Find an emoji", close: "Close", none: "No emoji has this name.", recent: "Recently used",
    faces: "Smileys", hands: "Hands and people", hearts: "Hearts", nature: "Animals and nature", food: "Food and drink",
    things: "Things and travel", signs: "Signs",
  },
  ar: {
    title: "الرموز التعبيرية", search: "ابحث عن رمز تعبيري", close: "إغلاق", none: "لا يوجد رمز بهذا الاسم.", recent: "المستخدمة مؤخرًا",
    faces: "الوجوه", hands: "الأيدي والأشخاص", hearts: "القلوب", nature: "الحيوانات والطبيعة", food: "الطعام والشراب",
    things: "الأشياء والسفر", signs: "العلامات",
  },
});

/** The emojis of each group: emoji, English name, Arabic name.
 * @type {[Parameters<typeof t>[0], string][]} */
const GROUPS = [
  ["faces", `😀 grinning|مبتسم
😃 happy|سعيد
😄 laughing eyes|عيون ضاحكة
😁 beaming|ابتسامة عريضة
😅 relieved sweat|عرق وارتياح
😂 tears of joy|دموع الفرح
🤣 rolling laugh|ضحك شديد
🙂 slight smile|ابتسامة خفيفة
😉 wink|غمزة
😊 blush|خجول
😇 angel|ملاك
🥰 in love|محب
😍 heart eyes|عيون القلوب
🤩 star struck|منبهر
😘 kiss|قبلة
😋 delicious|لذيذ
😜 cheeky|مشاكس
🤗 hug|عناق
🤭 giggle|ضحكة مكتومة
🤔 thinking|تفكير
🤐 zipped lips|صمت
😐 neutral|محايد
😏 smirk|ابتسامة ماكرة
🙄 eye roll|ضجر
😌 calm|هادئ
😴 sleeping|نائم
😷 mask|كمامة
🤒 ill|مريض
🥳 party|احتفال
😎 cool|نظارة شمسية
🤓 nerd|عبقري
😕 confused|محتار
😟 worried|قلق
☹️ sad|حزين
😮 surprised|متفاجئ
😳 flushed|محرج
🥺 pleading|توسل
😢 crying|بكاء
😭 sobbing|بكاء شديد
😱 scream|رعب
😩 weary|مرهق
😤 annoyed|متضايق
😡 angry|غاضب`],
  ["hands", `👍 thumbs up|إعجاب
👎 thumbs down|عدم إعجاب
👌 perfect|ممتاز
✌️ victory|نصر
🤞 fingers crossed|حظ سعيد
🤙 call me|اتصل بي
👈 left|يسار
👉 right|يمين
👆 up|أعلى
👇 down|أسفل
☝️ one|واحد
✋ stop hand|توقف
👋 wave hello|تلويح مرحبا
👏 applause|تصفيق
🙌 hooray|مرحى
🤝 handshake|مصافحة
🙏 thanks please|شكرًا من فضلك
✍️ writing|كتابة
💪 strong|قوي
👀 eyes looking|عيون نظر
🙋 question raised hand|رفع اليد سؤال
🤷 shrug|لا أعرف
🤦 facepalm|يا للأسف
👨‍💻 developer|مبرمج
👩‍💼 office|موظفة
🚶 walking|مشي
🏃 running|جري
👪 family|عائلة`],
  ["hearts", `❤️ red heart|قلب أحمر
🧡 orange heart|قلب برتقالي
💛 yellow heart|قلب أصفر
💚 green heart|قلب أخضر
💙 blue heart|قلب أزرق
💜 purple heart|قلب بنفسجي
🖤 black heart|قلب أسود
🤍 white heart|قلب أبيض
💔 broken heart|قلب مكسور
💕 two hearts|قلبان
💯 hundred|مئة بالمئة
💥 boom|انفجار
💫 dizzy star|دوار نجمة
💬 speech|حديث`],
  ["nature", `🐶 dog|كلب
🐱 cat|قط
🦁 lion|أسد
🐪 camel|جمل
🐎 horse|حصان
🐟 fish|سمكة
🐦 bird|طائر
🦋 butterfly|فراشة
🌹 rose|وردة
🌷 tulip|توليب
🌻 sunflower|عباد الشمس
🌴 palm|نخلة
🌱 plant|نبتة
🍀 luck clover|برسيم حظ
🌙 moon|قمر
⭐ star|نجمة
✨ sparkles|بريق
☀️ sun|شمس
⛅ cloud|غيمة
🌧️ rain|مطر
❄️ snow|ثلج
🔥 fire|نار
🌊 wave sea|موج بحر
🌈 rainbow|قوس قزح`],
  ["food", `☕ coffee|قهوة
🍵 tea|شاي
🥤 drink|مشروب
💧 water|ماء
🍞 bread|خبز
🥙 sandwich|شطيرة
🍕 pizza|بيتزا
🍔 burger|برغر
🍟 fries|بطاطس
🥗 salad|سلطة
🍚 rice|أرز
🍗 chicken|دجاج
🥩 meat|لحم
🍳 egg breakfast|بيض فطور
🍎 apple|تفاح
🍊 orange|برتقال
🍋 lemon|ليمون
🍌 banana|موز
🍇 grapes|عنب
🍓 strawberry|فراولة
🍫 chocolate|شوكولاتة
🍰 cake|كعكة
🎂 birthday cake|كعكة ميلاد
🍦 ice cream|مثلجات`],
  ["things", `🎉 party celebration|احتفال
🎁 gift|هدية
🎈 balloon|بالون
🏆 trophy|كأس
⚽ football|كرة قدم
🎵 music|موسيقى
📷 camera|كاميرا
📱 phone|هاتف
💻 computer|حاسوب
📞 call|مكالمة
📧 email|بريد
📦 parcel package|طرد
🚚 delivery truck|شاحنة توصيل
🛒 cart|عربة تسوق
🛍️ shopping|تسوق
💳 card|بطاقة دفع
💵 money cash|نقود
🧾 receipt|إيصال
📄 document|مستند
📎 paper clip|مشبك
📌 pin|دبوس
📍 place|مكان
🗓️ calendar date|تقويم موعد
⏰ alarm time|منبه وقت
⏳ waiting|انتظار
🔑 key|مفتاح
🔒 locked|قفل
🔧 repair|إصلاح
💡 idea|فكرة
🏠 home|منزل
🏢 building|مبنى
🏥 hospital|مستشفى
🕌 mosque|مسجد
🚗 car|سيارة
🚌 bus|حافلة
🚲 bicycle|دراجة
✈️ plane|طائرة
🚢 ship|سفينة
👕 shirt|قميص
👟 shoes|حذاء
📚 books|كتب
✏️ pencil|قلم`],
  ["signs", `✅ done check|تم صح
☑️ checked|محدد
❌ no cross|لا خطأ
⚠️ warning|تحذير
🚫 forbidden|ممنوع
❗ exclamation|تعجب
❓ question|استفهام
ℹ️ information|معلومة
🆕 new|جديد
🆓 free|مجاني
🔔 bell|جرس
🔄 again|مجددًا
➡️ arrow right|سهم يمين
⬅️ arrow left|سهم يسار
⬆️ arrow up|سهم أعلى
⬇️ arrow down|سهم أسفل
🟢 green|أخضر
🟡 yellow|أصفر
🔴 red|أحمر
1️⃣ one number|رقم واحد
2️⃣ two number|رقم اثنان
3️⃣ three number|رقم ثلاثة
4️⃣ four number|رقم أربعة
5️⃣ five number|رقم خمسة
🇪🇬 Egypt flag|علم مصر
🇸🇦 Saudi Arabia flag|علم السعودية
🇦🇪 Emirates flag|علم الإمارات`],
];

/** @typedef {{emoji: string, en: string, ar: string}} Entry */

/** @type {{title: Parameters<typeof t>[0], entries: Entry[]}[]} */
const PARSED = GROUPS.map(([title, lines]) => ({
  title,
  entries: lines.split("\n").map((line) => {
    const space = line.indexOf(" ");
    const [en, ar] = line.slice(space + 1).split("|");
    return { emoji: line.slice(0, space), en, ar };
  }),
}));

/** The last emojis, for as long as the page is open. @type {Entry[]} */
let recent = [];
const MAX_RECENT = 16;

/** @param {{onPick: (emoji: string) => void, onClose: () => void}} props */
export default function EmojiPicker({ onPick, onClose }) {
  const [query, setQuery] = useState("");
  const [focused, setFocused] = useState("");
  const [shownRecent] = useState(recent);
  const panel = useRef(/** @type {HTMLDivElement | null} */ (null));
  const close = useRef(onClose);
  close.current = onClose;

  useEffect(() => {
    const element = /** @type {HTMLDivElement} */ (panel.current);
    element.querySelector("input")?.focus();
    const onPointerDown = (/** @type {PointerEvent} */ event) => {
      const target = /** @type {Element} */ (event.target);
      // The button closes the picker itself.
      if (!element.contains(target) && !target.closest(".emoji-button")) close.current();
    };
    document.addEventListener("pointerdown", onPointerDown);
    return () => document.removeEventListener("pointerdown", onPointerDown);
  }, []);

  const word = query.trim().toLowerCase();
  const groups = word
    ? PARSED.map(({ title, entries }) => ({
      title, entries: entries.filter(({ emoji, en, ar }) => en.toLowerCase().includes(word) || ar.includes(word) || emoji === word),
    }))
    : [{ title: /** @type {Parameters<typeof t>[0]} */ ("recent"), entries: shownRecent }, ...PARSED];
  const shown = groups.filter(({ entries }) => entries.length > 0);
  const first = shown[0] && `${shown[0].title} ${shown[0].entries[0].emoji}`;
  const all = shown.flatMap(({ title, entries }) => entries.map(({ emoji }) => `${title} ${emoji}`));
  // One emoji is in the tab order.
  const tabbable = all.includes(focused) ? focused : first;

  const pick = (/** @type {Entry} */ entry) => {
    recent = [entry, ...recent.filter(({ emoji }) => emoji !== entry.emoji)].slice(0, MAX_RECENT);
    onPick(entry.emoji);
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const element = /** @type {HTMLDivElement} */ (panel.current);
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      onClose();
      return;
    }
    const buttons = /** @type {HTMLButtonElement[]} */ ([...element.querySelectorAll(".emoji-grid button")]);
    const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    if (at < 0) {
      if (event.key === "ArrowDown" && buttons.length > 0) {
        event.preventDefault();
        (buttons.find(({ tabIndex }) => tabIndex === 0) ?? buttons[0]).focus();
      } else if (event.key === "Enter") {
        event.preventDefault();
        if (word && shown[0]) pick(shown[0].entries[0]);
      }
      return;
    }
    const forward = document.documentElement.dir === "rtl" ? "ArrowLeft" : "ArrowRight";
    const backward = forward === "ArrowLeft" ? "ArrowRight" : "ArrowLeft";
    const next =
      event.key === forward ? buttons[at + 1]
      : event.key === backward ? buttons[at - 1]
      : event.key === "Home" ? buttons[0]
      : event.key === "End" ? buttons[buttons.length - 1]
      : event.key === "ArrowDown" ? neighbor(buttons, at, 1)
      : event.key === "ArrowUp" ? neighbor(buttons, at, -1) ?? element.querySelector("input")
      : undefined;
    if (next === undefined) return;
    event.preventDefault();
    next?.focus();
  };
  // A form's Enter would send the message.
  return html`<div class="emoji-picker" role="dialog" aria-label=${t("title")} ref=${panel} onKeyDown=${onKeyDown}>
    <header>
      <${Field} label=${t("search")} hideLabel placeholder=${t("search")} type="search" autocomplete="off" dir="auto" value=${query}
        onInput=${(/** @type {any} */ event) => setQuery(event.target.value)} />
      <${IconButton} icon="close" label=${t("close")} onClick=${onClose} />
    </header>
    <div class="emoji-groups">
      ${shown.length === 0 && html`<p class="muted" role="status">${t("none")}</p>`}
      ${shown.map(({ title, entries }) => html`<section key=${title} aria-label=${t(title)}>
        <h3>${t(title)}</h3>
        <div class="emoji-grid">
          ${entries.map((entry) => {
            const key = `${title} ${entry.emoji}`;
            const name = entry[language()];
            return html`<button key=${key} type="button" title=${name} aria-label=${`${entry.emoji} ${name}`} tabindex=${key === tabbable ? 0 : -1}
              onFocus=${() => setFocused(key)} onClick=${() => pick(entry)}>${entry.emoji}</button>`;
          })}
        </div>
      </section>`)}
    </div>
  </div>`;
}

/** Returns the button above (`-1`) or below (`1`) another one.
 * @param {HTMLButtonElement[]} buttons @param {number} at @param {1 | -1} direction */
function neighbor(buttons, at, direction) {
  const from = buttons[at].getBoundingClientRect();
  const middle = from.left + from.width / 2;
  const candidates = buttons
    .map((button) => ({ button, box: button.getBoundingClientRect() }))
    .filter(({ box }) => (direction > 0 ? box.top >= from.bottom : box.bottom <= from.top));
  if (candidates.length === 0) return null;
  const distance = (/** @type {DOMRect} */ box) =>
    Math.abs(box.top - from.top) * 1_000 + Math.abs(box.left + box.width / 2 - middle);
  return candidates.reduce((best, next) => (distance(next.box) < distance(best.box) ? next : best)).button;
}
