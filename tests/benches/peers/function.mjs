// A Lambda function of Node: a loop over Lambda's Runtime API, without AWS's own runtime client.
// `WAY` names the package, and the query's `n` the number of statements. For no statement, it runs
// one that sleeps for 20 ms.

import { Agent, request } from 'node:http'

const api = process.env.AWS_LAMBDA_RUNTIME_API
const url = new URL(process.env.DATABASE_URL)
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const [host, port] = api.split(':')
    const sent = request({ agent, host, port, method, path }, (answer) => {
      const parts = []
      answer.on('data', (part) => parts.push(part))
      answer.on('end', () => resolve({ headers: answer.headers, body: Buffer.concat(parts) }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

async function mysqlWay() {
  const { default: make } = await import('serverless-mysql')
  const mysql = make({
    config: {
      host: url.hostname,
      port: Number(url.port),
      user: url.username,
      password: decodeURIComponent(url.password),
      database: url.pathname.slice(1),
      ssl: url.search.includes('ssl-mode') ? { rejectUnauthorized: false } : undefined,
    },
  })
  return async (n) => {
    let sum = 0
    if (n === 0) await mysql.query('select sleep(0.02)')
    for (let i = 0; i < n; i++) {
      const rows = await mysql.query('select ? + 1 as sum', [i])
      sum += Number(rows[0].sum)
    }
    await mysql.end()
    return sum
  }
}

async function postgresWay() {
  const { default: Client } = await import('serverless-postgres')
  const client = new Client({
    host: url.hostname,
    port: Number(url.port),
    user: url.username,
    password: decodeURIComponent(url.password),
    database: url.pathname.slice(1),
    ssl: url.search.includes('sslmode') ? { rejectUnauthorized: false } : false,
  })
  return async (n) => {
    await client.connect()
    let sum = 0
    if (n === 0) await client.query('select pg_sleep(0.02)')
    for (let i = 0; i < n; i++) {
      const { rows } = await client.query('select $1::bigint + 1 as sum', [i])
      sum += Number(rows[0].sum)
    }
    await client.clean()
    return sum
  }
}

const way = process.env.WAY === 'serverless-mysql' ? await mysqlWay() : await postgresWay()
for (;;) {
  const event = await call('GET', '/2018-06-01/runtime/invocation/next')
  const id = event.headers['lambda-runtime-aws-request-id']
  const path = `/2018-06-01/runtime/invocation/${id}`
  try {
    const { queryStringParameters } = JSON.parse(event.body)
    const sum = await way(Number(queryStringParameters?.n ?? 1))
    await call('POST', `${path}/response`, JSON.stringify({ statusCode: 200, body: `${sum}` }))
  } catch (error) {
    const body = JSON.stringify({ errorType: error.code ?? 'Error', errorMessage: error.message })
    await call('POST', `${path}/error`, body)
  }
}
