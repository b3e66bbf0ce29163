import type { ReactNode } from "react";
import { ChatList } from "@/components/chat-list";

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <div className="inbox">
      <ChatList />
      {children}
    </div>
  );
}
