import { join } from "node:path";
import type { NextConfig } from "next";

// The client is outside of this folder. Remove both lines when you install it from a registry.
const repository = join(import.meta.dirname, "../..");

export default {
  turbopack: { root: repository },
  outputFileTracingRoot: repository,
  poweredByHeader: false,
  reactStrictMode: true,
} satisfies NextConfig;
