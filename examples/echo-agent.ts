import { Agent } from "@parley-rt/parley/agent";

// node echo-agent.ts URL CERTIFICATE-HASH: answers every call and says back what it hears.
const [url = "https://127.0.0.1:4480/agtp", hash = ""] = process.argv.slice(2);
const agent = await Agent.connect(url, { identity: "echo.key", certificateHashes: [hash] });
console.log(`Call me: ${agent.id}`);

agent.onCall(async (incoming) => {
  const call = await incoming.accept();
  for await (const heard of call.audio) {
    if (heard.verified) await call.audio.write(heard.pcm);
  }
});
