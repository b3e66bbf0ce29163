//! The welcome message, ice breakers, and commands of a number (Meta, *Conversational components*).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::whatsapp::{graph_error::GraphError, parameters::Parameters};

const MAX_PROMPTS: usize = 4;
const MAX_PROMPT_CHARACTERS: usize = 80;
const MAX_COMMANDS: usize = 30;
const MAX_NAME_CHARACTERS: usize = 32;
const MAX_DESCRIPTION_CHARACTERS: usize = 256;

/// The conversational components of a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::whatsapp) struct Automation {
    enable_welcome_message: bool,
    prompts: Vec<String>,
    commands: Vec<Command>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Command {
    command_name: String,
    command_description: String,
}

impl Automation {
    /// Changes the components in `parameters`.
    pub(in crate::whatsapp) fn update(&mut self, parameters: &Parameters) -> Result<(), GraphError> {
        if let Some(enable) = parameters.boolean("enable_welcome_message")? {
            self.enable_welcome_message = enable;
        }
        if let Some(prompts) = parameters.array("prompts")? {
            at_most("prompts", prompts.len(), MAX_PROMPTS)?;
            let prompt = |(index, prompt)| text(&format!("prompts[{index}]"), prompt, MAX_PROMPT_CHARACTERS);
            self.prompts = prompts.iter().enumerate().map(prompt).collect::<Result<_, _>>()?;
        }
        if let Some(commands) = parameters.array("commands")? {
            at_most("commands", commands.len(), MAX_COMMANDS)?;
            let commands: Vec<Command> = commands.iter().enumerate().map(command).collect::<Result<_, _>>()?;
            for (index, command) in commands.iter().enumerate() {
                if commands[..index].iter().any(|other| other.command_name == command.command_name) {
                    let sentence = format!("Param commands[{index}]['command_name'] must be unique.");
                    return Err(GraphError::parameter(&sentence));
                }
            }
            self.commands = commands;
        }
        Ok(())
    }

    /// Returns the components as a field of the number; `None` if none is set, as at Meta.
    pub(in crate::whatsapp) fn field(&self, id: &str) -> Option<Value> {
        (*self != Automation::default()).then(|| {
            let mut field = json!(self);
            field["id"] = json!(id);
            field
        })
    }
}

fn command((index, value): (usize, &Value)) -> Result<Command, GraphError> {
    let member = |name: &str, maximum| text(&format!("commands[{index}]['{name}']"), &value[name], maximum);
    Ok(Command {
        command_name: member("command_name", MAX_NAME_CHARACTERS)?,
        command_description: member("command_description", MAX_DESCRIPTION_CHARACTERS)?,
    })
}

fn text(name: &str, value: &Value, maximum: usize) -> Result<String, GraphError> {
    let text = value.as_str().filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| GraphError::parameter(&format!("Param {name} must be a non-empty string.")))?;
    if text.chars().count() > maximum {
        return Err(GraphError::too_long(name, maximum));
    }
    if text.chars().any(is_emoji) {
        return Err(GraphError::parameter(&format!("Param {name} must not contain emojis.")));
    }
    Ok(text.to_owned())
}

fn at_most(name: &str, count: usize, maximum: usize) -> Result<(), GraphError> {
    if count > maximum {
        return Err(GraphError::parameter(&format!("Param {name} must have at most {maximum} elements.")));
    }
    Ok(())
}

/// Returns whether a character is in the blocks of emojis.
fn is_emoji(c: char) -> bool {
    matches!(c, '\u{2600}'..='\u{27BF}' | '\u{2B00}'..='\u{2BFF}' | '\u{FE0F}' | '\u{1F000}'..='\u{1FAFF}')
}

#[cfg(test)]
mod tests;
