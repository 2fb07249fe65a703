//! A server in this process on a free port, and a client for it.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use chrono::{DateTime, Utc};
use formwork::server::{Server, router};
use formwork::session::SCOPES;
use formwork::view::templates::Templates;
use formwork_model::Key;
use formwork_runtime::deploy::Bundle;
use formwork_runtime::people::own::NewToken;
use formwork_runtime::people::{By, NewUser};
use formwork_runtime::{Channels, Clock, Engine, Environment, Seeds};
use formwork_store::Store;

/// The password of every user of a test server.
pub const PASSWORD: &str = "a password for tests";

/// A running server.
pub struct TestServer {
    /// Its engine.
    pub engine: Arc<Engine>,
    /// Where it listens.
    pub address: SocketAddr,
    serving: JoinHandle<()>,
    _folder: TempDir,
}

impl TestServer {
    /// Serves a pack over a store, without a dispatcher: tests run due work when they want it run.
    pub async fn start(store: Arc<dyn Store>, bundle: &Bundle, clock: Clock, channels: Channels) -> Self {
        let folder = TempDir::new().expect("a scratch folder");
        let environment = Environment {
            clock,
            channels,
            message_file: folder.path().join("messages.jsonl"),
            seeds: Seeds::Random,
            replica_bytes_max: 64 << 20,
        };
        let engine = Engine::start(store, environment).await.expect("the engine starts");
        engine.deploy_if_safe(bundle).await.expect("the pack is deployed");
        let server = Server {
            engine: engine.clone(),
            templates: Templates::new(),
            demo_users: Vec::new(),
            meters: Default::default(),
            strangers: Default::default(),
            virtual_clock: false,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let serving = tokio::spawn(async move {
            let service = router(Arc::new(server)).into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, service).await.expect("the server serves");
        });
        Self { engine, address, serving, _folder: folder }
    }

    /// Adds a user and logs in as them.
    pub async fn user(&self, login: &str, roles: &[&str], queues: &[&str]) -> Client {
        let keys = |texts: &[&str]| texts.iter().map(|text| Key::from(*text)).collect();
        let new = NewUser {
            login: login.to_owned(),
            name: login.to_owned(),
            password: PASSWORD.to_owned(),
            roles: keys(roles),
            queues: keys(queues),
            language: "en".to_owned(),
        };
        self.engine.add_user(new).await.expect("a user can be added");
        self.log_in(login, PASSWORD).await.unwrap_or_else(|| panic!("{login} logs in"))
    }

    /// The secret of an API token of a user.
    pub async fn token(&self, login: &str, scopes: &[&str], until: Option<DateTime<Utc>>) -> String {
        let user = self.engine.store().user_by_login(login).await.expect("users").expect("the user");
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let new = NewToken { name: "test".to_owned(), scopes, until };
        let known = SCOPES.map(|(scope, _)| scope);
        self.engine.add_token(&By::user(&user, None), &user, new, &known).await.expect("a token")
    }

    /// Logs in with a password and gives the client of the session; none where it is refused.
    pub async fn log_in(&self, login: &str, password: &str) -> Option<Client> {
        let mut client = self.anonymous();
        let sent = client.send(Method::POST, "/api/session", json!({"login": login, "password": password})).await;
        if sent.status() != 200 {
            return None;
        }
        let cookie = sent.headers()["set-cookie"].to_str().expect("ASCII").split(';').next().unwrap_or_default();
        client.cookie = Some(cookie.to_owned());
        Some(client)
    }

    /// A client nobody is logged in with.
    pub fn anonymous(&self) -> Client {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Client { http, base: format!("http://{}", self.address), cookie: None }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A client of a test server.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    /// The session.
    pub cookie: Option<String>,
}

impl Client {
    /// A request with the session's cookie.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    /// Where the server listens: host and port.
    pub fn host(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// Sends JSON.
    pub async fn send(&self, method: Method, path: &str, body: Json) -> Response {
        self.request(method, path).json(&body).send().await.expect("the server answers")
    }

    /// Sends JSON and reads the status and the JSON of the answer.
    pub async fn call(&self, method: Method, path: &str, body: Json) -> (u16, Json) {
        let answer = self.send(method, path, body).await;
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Json::Null))
    }

    /// Reads JSON.
    pub async fn get(&self, path: &str) -> (u16, Json) {
        let answer = self.request(Method::GET, path).send().await.expect("the server answers");
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or(Json::Null))
    }
}
