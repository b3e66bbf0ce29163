export default function Page() {
  return (
    <main className="empty">
      <p className="hint">Choose a chat.</p>
    </main>
  );
}
