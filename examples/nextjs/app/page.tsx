import { Connect } from "@/components/connect";

export default function Page() {
  return <Connect />;
}
