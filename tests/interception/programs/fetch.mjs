// Node's own HTTPS through the proxy: CONNECT by hand, so that every version of Node can do it.
import http from "node:http";
import https from "node:https";

const proxy = new URL(process.env.HTTPS_PROXY);
const host = "management.azure.com";
const ask = http.request({ host: proxy.hostname, port: proxy.port, method: "CONNECT", path: `${host}:443` });
ask.on("connect", (_, socket) => {
  const path = "/metadata/endpoints?api-version=2015-01-01";
  https.get({ host, path, socket, agent: false }, (answer) => {
    answer.setEncoding("utf8");
    let text = "";
    answer.on("data", (part) => (text += part));
    answer.on("end", () => console.log(answer.statusCode, JSON.parse(text).galleryEndpoint));
  });
});
ask.end();
