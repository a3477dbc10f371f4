// The documented route from TypeScript, without a package; Node.js 24 and newer run it as it is:
// PLAYGROUND_SESSION=<the playground's key> node route.mts
interface Message {
  role: 'user' | 'assistant'
  content: string
}

const base: string = process.env.PLAYGROUND_URL ?? 'http://127.0.0.1:7860'
const route = `${base}/api/ai/cloudflare/llama-3.3-70b-instruct-fp8-fast/chat`
const messages: Message[] = [{ role: 'user', content: 'What is the playground?' }]

const response = await fetch(`${route}?chat_id=-1&is_playground=true`, {
  method: 'POST',
  headers: {
    'Content-Type': 'application/json',
    'Authorization': `Bearer ${process.env.PLAYGROUND_SESSION}`,
  },
  body: JSON.stringify({ messages }),
})
if (!response.ok) {
  throw new Error((await response.json()).message)
}

// An answer that fails half-way breaks off: this loop then throws.
for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
  process.stdout.write(text)
}
