//! What an application sends to a database: the protocol and logs decoded, statements brought to one form, loops seen among them.

pub mod event;
pub mod flow;
mod forms;
pub mod functions;
pub mod growth;
pub mod input;
mod keys;
pub mod logs;
pub mod plans;
pub mod pool;
pub mod recording;
pub mod saved;
pub mod scale;
pub mod spans;
pub mod tags;
mod text_form;
pub mod units;
pub mod value;
pub mod wire;
