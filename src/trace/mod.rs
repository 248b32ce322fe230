//! What an application sends to a database: the protocol decoded, statements brought to one form, loops seen among them.

pub mod event;
pub mod flow;
pub mod recording;
pub mod value;
pub mod wire;
