import type { Message } from "@/lib/qasid";

const CLOCK = "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M8 5v3.2l2 1.3";
const ONE = "M4 8.5l3 3 6-7";
const TWO = "M1.5 8.5l3 3 6-7M7 10l1.5 1.5 6-7";
const ALERT = "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M8 5v3.5M8 10.5v.5";

const TICKS: Record<Message["status"], [label: string, path: string]> = {
  received: ["Received", ""],
  pending: ["Pending", CLOCK],
  sending: ["Sending", CLOCK],
  unknown: ["WhatsApp did not confirm it", ALERT],
  sent: ["Sent", ONE],
  delivered: ["Delivered", TWO],
  read: ["Read", TWO],
  played: ["Played", TWO],
  failed: ["Not sent", ALERT],
};

/** Shows how far a message got. */
export function Ticks({ status }: { status: Message["status"] }) {
  const [label, path] = TICKS[status];
  return (
    <svg role="img" aria-label={label} className={`ticks ${status}`} viewBox="0 0 16 16" width="16" height="16">
      <path d={path} fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
