import { Thread } from "@/components/thread";

export default async function Page({ params }: { params: Promise<{ chatId: string }> }) {
  const { chatId } = await params;
  return <Thread key={chatId} chatId={chatId} />;
}
