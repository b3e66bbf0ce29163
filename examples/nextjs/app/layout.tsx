import type { Metadata } from "next";
import type { ReactNode } from "react";
import { SessionProvider } from "@/components/session";
import { currentUser } from "@/lib/current-user";
import "./globals.css";

export const metadata: Metadata = { title: "WhatsApp inbox", description: "An example of Qasid with Next.js" };

export default async function Layout({ children }: { children: ReactNode }) {
  const user = await currentUser();
  return (
    <html lang="en">
      <body>
        {user === null ? (
          <main className="page">
            <h1>Sign in</h1>
            <p>
              Nobody is signed in. Connect your login in <code>lib/current-user.ts</code>, or set{" "}
              <code>DEMO_USER</code>.
            </p>
          </main>
        ) : (
          <SessionProvider userId={user.id}>{children}</SessionProvider>
        )}
      </body>
    </html>
  );
}
