// The handler of bare.rs for Node.js. The loop below stands for the runtime that Lambda provides.

const http = require("node:http");
const { DynamoDBClient, GetItemCommand } = require("@aws-sdk/client-dynamodb");

const client = new DynamoDBClient({});

async function handler(event) {
  const id = new URLSearchParams(event.rawQueryString).get("sessionId");
  const { Item: item } = await client.send(
    new GetItemCommand({
      TableName: process.env.TABLE_NAME,
      Key: { pk: { S: `SESSION#${id}` }, sk: { S: "SESSION" } },
    }),
  );
  return {
    statusCode: item ? 200 : 404,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id: item?.id.S, isReady: item?.is_ready.BOOL }),
  };
}

// A URL in the local run, and only its host and port on Lambda.
const invocations = `${process.env.AWS_LAMBDA_RUNTIME_API.replace(/^(?!http)/, "http://")}/2018-06-01/runtime/invocation`;
const agent = new http.Agent({ keepAlive: true });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(`${invocations}/${path}`, { agent, method }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function run() {
  for (;;) {
    const { headers, body } = await call("GET", "next");
    const response = await handler(JSON.parse(body));
    await call("POST", `${headers["lambda-runtime-aws-request-id"]}/response`, JSON.stringify(response));
  }
}

run();
