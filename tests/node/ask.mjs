// Conversations with the clients of the AI SDK: a line of JSON in, what that client made of it as a line out.
//
// A line in holds `client` (a name below), `api`, `headers`, `questions` (one turn each), and `stop` (leave as
// soon as there is text).
import { createInterface } from 'node:readline'
import { callChatApi } from '@ai-sdk/ui-utils'
import { AbstractChat, DefaultChatTransport, readUIMessageStream, TextStreamChatTransport } from 'ai'
import { processDataStream } from 'ai-4'

let number = 0
const generateId = () => `id-${++number}`

// Generation 4, as its useChat does it: what it sends, what it shows, what it throws.
const useChat4 = streamProtocol => async ({ api, headers, questions, stop }) => {
  const messages = []
  const result = { messages, error: null }
  for (const question of questions) {
    messages.push({ id: generateId(), createdAt: new Date(), role: 'user', content: question,
      parts: [{ type: 'text', text: question }] })
    const controller = new AbortController()
    let answer
    try {
      await callChatApi({
        api, headers, streamProtocol, generateId, requestType: 'generate', lastMessage: messages.at(-1),
        body: { id: 'chat-1', messages },
        abortController: () => controller,
        restoreMessagesOnFailure: () => {},
        onResponse: response => { result.status = response.status },
        onUpdate: ({ message }) => { answer = message; if (stop && message.content) controller.abort() },
        onFinish: (message, { usage, finishReason }) => Object.assign(result, { usage, finish: finishReason }),
      })
    } catch (error) {
      result.error = error.name === 'AbortError' ? 'AbortError' : error.message
    }
    if (answer) messages.push(answer)
  }
  result.messages = messages.map(({ role, content, reasoning }) => ({ role, text: content, thinking: reasoning ?? '' }))
  return result
}

// Generation 4's decoder alone.
const processDataStream4 = async ({ api, headers, questions }) => {
  const messages = questions.map(content => ({ role: 'user', content }))
  const response = await fetch(api, { method: 'POST', headers, body: JSON.stringify({ messages }) })
  const answer = { role: 'assistant', text: '', thinking: '' }
  const result = { messages: [answer], error: null, status: response.status }
  await processDataStream({
    stream: response.body,
    onTextPart: text => { answer.text += text },
    onReasoningPart: text => { answer.thinking += text },
    onErrorPart: error => { result.error = error },
    onFinishMessagePart: ({ finishReason, usage }) => Object.assign(result, { usage, finish: finishReason }),
  })
  return result
}

const plain = ({ role, parts, metadata }) => ({
  role,
  text: parts.filter(part => part.type === 'text').map(part => part.text).join(''),
  thinking: parts.filter(part => part.type === 'reasoning').map(part => part.text).join(''),
  metadata,
})

// The state that a framework would hold; React and Vue give their own.
class State {
  status = 'ready'
  error = undefined
  messages = []
  pushMessage = message => { this.messages = [...this.messages, message] }
  popMessage = () => { this.messages = this.messages.slice(0, -1) }
  replaceMessage = (at, message) => { this.messages = this.messages.with(at, message) }
  snapshot = value => structuredClone(value)
}
class Chat extends AbstractChat {}

// The newest generation, as its useChat does it.
const useChat = Transport => async ({ api, headers, questions, stop }) => {
  const state = new State()
  const result = { error: null }
  const onFinish = ({ finishReason, isAbort }) => { result.finish = isAbort ? 'abort' : finishReason }
  const chat = new Chat({ state, generateId, onFinish, transport: new Transport({ api, headers }) })
  if (stop) {
    const replace = state.replaceMessage
    state.replaceMessage = (at, message) => { replace(at, message); if (plain(message).text) chat.stop() }
  }
  for (const text of questions) await chat.sendMessage({ text })
  result.error = chat.error?.message ?? null
  result.messages = chat.messages.map(plain)
  result.usage = chat.lastMessage.metadata?.usage
  return result
}

// The newest generation's transport, read without a chat around it.
const readStream = async ({ api, headers, questions }) => {
  const messages = questions.map(text => ({ id: generateId(), role: 'user', parts: [{ type: 'text', text }] }))
  const transport = new DefaultChatTransport({ api, headers })
  const stream = await transport.sendMessages({ chatId: 'chat-1', messages, trigger: 'submit-message' })
  const result = { messages: [], error: null }
  try {
    for await (const message of readUIMessageStream({ stream, terminateOnError: true })) result.messages = [plain(message)]
  } catch (error) {
    result.error = error.message
  }
  return result
}

const clients = {
  'ai 4, useChat': useChat4('data'),
  'ai 4, useChat on text': useChat4('text'),
  'ai 4, processDataStream': processDataStream4,
  'ai newest, useChat': useChat(DefaultChatTransport),
  'ai newest, useChat on text': useChat(TextStreamChatTransport),
  'ai newest, readUIMessageStream': readStream,
}
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line)
  const result = await clients[asked.client](asked).catch(error => ({ crash: String(error.stack) }))
  console.log(JSON.stringify(result))
}
