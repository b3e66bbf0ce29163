import type { paths } from "./schema.js";

export type Method = "get" | "post" | "put" | "patch" | "delete";

/** The paths of the API that have a method. */
export type PathWith<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, { responses: unknown }> ? P : never;
}[keyof paths];

/** An operation of the API. */
export type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>;

/** `params` of a call: the `path`, `query`, and `header` of the operation. */
type ParamsOf<O> = O extends { parameters: infer P } ? ({} extends P ? { params?: P } : { params: P }) : {};

type Content<T> = T extends { content: { "application/json": infer J } } ? J : never;

/** `body` of a call. */
type BodyOf<O> = O extends { requestBody: infer R }
  ? { body: Content<R> }
  : O extends { requestBody?: infer R }
    ? { body?: Content<NonNullable<R>> }
    : {};

/** The forms other than JSON in which a call can read a response. */
export interface Bodies {
  arrayBuffer: ArrayBuffer;
  blob: Blob;
  text: string;
}

/** The options of a call: those of the operation, of `fetch`, and `parseAs`. */
export type CallOptions<O, A> = ParamsOf<O> &
  BodyOf<O> &
  Omit<RequestInit, "body" | "method"> & {
    /** How to read the response. Default: `json`. */
    parseAs?: A;
  };

type SuccessStatus = 200 | 201 | 202;

/** The JSON with which an operation succeeds. */
export type Success<O> = O extends { responses: infer R }
  ? { [S in keyof R & SuccessStatus]: Content<R[S]> }[keyof R & SuccessStatus]
  : never;

/** A successful response. */
export interface Result<T> {
  data: T;
  /** For its status and headers. The body is in `data`. */
  response: Response;
}

/**
 * Calls an operation of the API.
 *
 * Rejects with a {@link QasidError} unless the operation succeeds, or with the reason of `signal` if that is aborted.
 */
export type Call<M extends Method> = <P extends PathWith<M>, A extends "json" | keyof Bodies = "json">(
  path: P,
  ...options: {} extends CallOptions<Operation<P, M>, A>
    ? [options?: CallOptions<Operation<P, M>, A>]
    : [options: CallOptions<Operation<P, M>, A>]
) => Promise<Result<A extends keyof Bodies ? Bodies[A] : Success<Operation<P, M>>>>;
